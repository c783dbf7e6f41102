"""The errors people see: one clear sentence each, with the exit code a script can rely on."""


class NbhelpersError(Exception):
    """Anything we can explain to the user in one line. Command lines exit with `exit_code`."""

    exit_code = 1


class BadInput(NbhelpersError):
    """Something given to us cannot be used; the message names the file, the item and the mend."""

    exit_code = 2


class CheckFailed(NbhelpersError):
    """The work was done, but a stated expectation was not met."""

    exit_code = 1


class Unavailable(NbhelpersError):
    """A part this machine lacks (a GPU, TensorRT, the network); the message says which and what to do."""

    exit_code = 1
