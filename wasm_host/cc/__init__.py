"""C, C++, Zig and assembly to objects that `pvm.link` links: a compiler is called; a small run-time library.

In: source files. Out: objects as octets. The compiler is clang as the package `ziglang` brings it, or another one.
"""
