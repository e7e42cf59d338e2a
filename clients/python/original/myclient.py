# The session that the first filesystem server, in Python, was described with; nothing is changed.
# `examples/myserver.rs` is its server: cargo run --example myserver localhost:5432
# --- myclient.py ---
from filesystem import FileSystemTcpClient

fs = FileSystemTcpClient("localhost", 5432)

# note that this will do a relative import from the __main__ module
fd = fs.open("make_up_name", fileclass="MyFile", filemodule="myserver")
fs.write(fd, "Hello!")
fs.read(fd)
# {'make_up_name': 'Hello!'}

# open the file with another user, can be a different client, but fd2 == fd
fd2 = fs.open("make_up_name", "MyFile", "myserver")
fs.read(fd2)
# {'make_up_name': 'Hello!'}

fd3 = fs.open("different_name","MyFile", "myserver")
fs.write(fd3, "World!")
fs.read(fd3)
# {'make_up_name': 'Hello!', 'different_name': 'World!'}

# remove entries in the example
fs.close(fd3)
fs.read(fd)
# {'make_up_name': 'Hello!'}

fs.close(fd2)
fs.close(fd)

# --- built-in file classes ---
from filetypes import TextFile, File

# no op file
fd = fs.open("noop")
fd = fs.open("noop", File)

# examples
fd = fs.open("myfile.txt", TextFile)
