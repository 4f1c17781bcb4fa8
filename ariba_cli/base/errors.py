"""The errors that a user can act on. Each message is one line that says what to do next."""


class AribaError(Exception):
    """An error that stops a command and that its user can put right."""


class UsageError(AribaError):
    """An option or argument that makes no sense for the given input."""


class InputError(AribaError):
    """A path that is missing, unreadable, or not what the command needs."""


class ResourceError(AribaError):
    """Memory, processes or a device that the machine does not give."""


class OutputError(AribaError):
    """A place that cannot be written, or must not be overwritten."""


class RefusedFileError(AribaError):
    """A model file that is outside the allow-list; the message is the reason alone."""


class OverBudgetError(RefusedFileError):
    """A model file that exceeds its limit on names or on time."""


class TooManyNamesError(OverBudgetError):
    """A model file with more tensors than its limit on names allows."""
