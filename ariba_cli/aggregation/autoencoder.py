"""A variational autoencoder of short vectors (Kingma and Welling 2014): how well it knows one."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ariba_cli.base.one_thread import one_thread

if TYPE_CHECKING:
    import torch

Float64 = npt.NDArray[np.float64]

_HIDDEN, _LATENT = 64, 8
_BATCH_SIZE = 64
_LEARNING_RATE = 0.001
# So many deviations from the mean are as good as infinitely many, and squares stay finite.
_FARTHEST = 1e6
_SEED = 0


class Autoencoder:
    """An autoencoder that is trained on vectors, each coordinate measured in its deviations.

    Parameters
    ----------
    vectors : float64 array of shape (vectors, coordinates)
        The vectors.
    steps : int
        The number of training steps.
    """

    def __init__(self, vectors: Float64, steps: int) -> None:
        import torch

        self._mean = vectors.mean(axis=0)
        deviation = vectors.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        width = vectors.shape[1]
        with one_thread():
            self._draw = torch.Generator().manual_seed(_SEED)
            self._inner = self._layer(width, _HIDDEN)
            self._code = self._layer(_HIDDEN, 2 * _LATENT)
            self._outer = self._layer(_LATENT, _HIDDEN)
            self._last = self._layer(_HIDDEN, width)
            layers = (self._inner, self._code, self._outer, self._last)
            optimizer = torch.optim.Adam([one for layer in layers for one in layer], _LEARNING_RATE)
            known = self._measured(vectors)
            for _ in range(steps):
                chosen = torch.randint(len(known), (_BATCH_SIZE,), generator=self._draw)
                optimizer.zero_grad()
                torch.autograd.backward(self._loss(known[chosen]))
                optimizer.step()

    def errors(self, vectors: Float64) -> Float64:
        """Return the squared error with which each vector is reconstructed, of shape (vectors,)."""
        import torch

        with torch.inference_mode(), one_thread():
            given = self._measured(vectors)
            mean, _ = self._encoded(given)
            found: Float64 = (self._decoded(mean) - given).square().sum(dim=1).numpy()
        return found

    def _layer(self, inputs: int, outputs: int) -> "tuple[torch.Tensor, torch.Tensor]":
        import torch

        most = inputs**-0.5

        def drawn(*shape: int) -> torch.Tensor:
            some = torch.rand(*shape, generator=self._draw, dtype=torch.float64)
            made: torch.Tensor = some * 2 * most - most
            return made.requires_grad_()

        return drawn(outputs, inputs), drawn(outputs)

    def _measured(self, vectors: Float64) -> "torch.Tensor":
        import torch

        apart = (vectors - self._mean) / self._deviation
        return torch.from_numpy(apart.clip(-_FARTHEST, _FARTHEST))

    def _encoded(self, given: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        """Return the mean and the logarithm of the variance of each code."""
        from torch.nn.functional import linear

        both = linear(linear(given, *self._inner).relu(), *self._code)
        return both[:, :_LATENT], both[:, _LATENT:]

    def _decoded(self, codes: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import linear

        return linear(linear(codes, *self._outer).relu(), *self._last)

    def _loss(self, given: "torch.Tensor") -> "torch.Tensor":
        """Return the mean of half the squared error and the divergence from N(0, 1)."""
        import torch

        mean, log_variance = self._encoded(given)
        noise = torch.randn(mean.shape, generator=self._draw, dtype=torch.float64)
        again = self._decoded(mean + (log_variance / 2).exp() * noise)
        error = (again - given).square().sum(dim=1)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        found: torch.Tensor = (error + divergence).mean() / 2
        return found
