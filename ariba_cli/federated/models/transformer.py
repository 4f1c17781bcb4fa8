"""A small vision transformer (Dosovitskiy et al. 2020, arXiv 2010.11929), with timm's names.

Of the original it leaves out the class token: the head reads the mean of all patches.
"""

from typing import TYPE_CHECKING

from ariba_cli.federated.models.architecture import ImageShape

if TYPE_CHECKING:
    import torch

_WIDTH = 64
_BLOCKS = 2
_HEADS = 4
_MLP_WIDTH = 2 * _WIDTH

# The side of a patch, for images whose shorter side has fewer pixels than `_SMALL_SIDE`, and
# for others: 16 patches in the digits, 64 in CIFAR-10.
_SMALL_SIDE = 16
_PATCH_SMALL, _PATCH = 2, 4

# About that of embedded patches, so that few steps on few samples suffice to tell places apart.
_POSITION_SPREAD = 0.5


def build_transformer(images: ImageShape, classes: int) -> "torch.nn.Module":
    """Return `pos_embed`, `patch_embed`, two `blocks` of attention and MLP, `norm` and `head`.

    Images are filled up with zeros at the right and below until they are whole patches.
    """
    import torch
    from torch import nn

    channels, height, width = images
    side = _PATCH_SMALL if min(height, width) < _SMALL_SIDE else _PATCH
    patches = -(-height // side) * -(-width // side)

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pos_embed = nn.Parameter(_POSITION_SPREAD * torch.randn(1, patches, _WIDTH))
            self.whole = nn.ZeroPad2d((0, -width % side, 0, -height % side))
            self.patch_embed = nn.Conv2d(channels, _WIDTH, side, stride=side)
            self.blocks = nn.Sequential(*(_block() for _ in range(_BLOCKS)))
            self.norm = nn.LayerNorm(_WIDTH)
            self.head = nn.Linear(_WIDTH, classes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            embedded = self.patch_embed(self.whole(x)).flatten(2).transpose(1, 2)
            tokens = self.norm(self.blocks(embedded + self.pos_embed))
            logits: torch.Tensor = self.head(tokens.mean(1))
            return logits

    return Transformer()


def _block() -> "torch.nn.Module":
    """Return attention and an MLP, each after layer normalisation and beside a shortcut."""
    from collections import OrderedDict

    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(_WIDTH)
            self.attn = _attention()
            self.norm2 = nn.LayerNorm(_WIDTH)
            self.mlp = nn.Sequential(
                OrderedDict(
                    fc1=nn.Linear(_WIDTH, _MLP_WIDTH),
                    act=nn.GELU(),
                    fc2=nn.Linear(_MLP_WIDTH, _WIDTH),
                )
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x + self.attn(self.norm1(x))
            after: torch.Tensor = x + self.mlp(self.norm2(x))
            return after

    return Block()


def _attention() -> "torch.nn.Module":
    """Return softmax attention of several heads between all patches of an image."""
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(_WIDTH, 3 * _WIDTH)
            self.proj = nn.Linear(_WIDTH, _WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            samples, tokens, _ = x.shape
            split = self.qkv(x).reshape(samples, tokens, 3, _HEADS, _WIDTH // _HEADS)
            queries, keys, values = split.permute(2, 0, 3, 1, 4)
            # By hand: vmap has no rule for PyTorch's fused attention on processors.
            scores = queries @ keys.transpose(-2, -1) * (_WIDTH // _HEADS) ** -0.5
            mixed = (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)
            attended: torch.Tensor = self.proj(mixed)
            return attended

    return Attention()
