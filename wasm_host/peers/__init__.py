"""Engines and runtimes of others, found and driven: anan-as, Chromium, gcc, node, the command line of wasmtime.

In: what to run. Out: what came of it, or why there is none here.
"""
