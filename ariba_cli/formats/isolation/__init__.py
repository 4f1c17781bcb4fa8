"""What cannot be parsed safely in this process: a child with limits parses it.

`parent` asks and `child` answers, over a socket, in `messages` that are plain JSON and
bytes: what comes back is believed no more than the file is. `hdf5` and `pickles` are
what the child can be asked about; they run nowhere else.
"""
