"""The isolation of unsafe parsers: a child process for each file parses it.

`parent` asks and `child` answers, over a socket, in `messages` of plain JSON and bytes. An
answer is trusted no more than the file. `nursery` is the process that forks children, and
`processes` controls it from outside. A child has limits, and `walls` around it that let through
the `syscalls` which parsing takes. `hdf5` and `pickles` answer the questions that a child may
be asked; they run nowhere else.
"""
