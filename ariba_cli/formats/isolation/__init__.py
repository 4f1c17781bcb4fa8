"""What cannot be parsed safely in this process: a child for each file parses it.

`parent` asks and `child` answers, over a socket, in `messages` that are plain JSON and
bytes: what comes back is believed no more than the file is. `nursery` is the process that
forks children, and `processes` how it looks from outside. A child has limits, and `walls`
around it that let through the `syscalls` which parsing takes. `hdf5` and `pickles` are what
a child can be asked about; they run nowhere else.
"""
