"""Reader of an exported ONNX file, as a program that knows ONNX Runtime and numpy only.

Usage: python -I onnx_reader.py FILE.onnx REFERENCES.npz OUT.npz [given]
"""

import sys

import numpy as np
import onnxruntime


def values(arrays, prefix):
    return [arrays[name] for name in sorted(arrays.files) if name.startswith(prefix)]


def main(path, references, out, given=""):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    arrays = np.load(references)
    showers = {}
    for case in range(int(arrays["cases"])):
        inputs = values(arrays, f"{case}-input-")
        noise = values(arrays, f"{case}-noise-") if given else []
        showers[f"{case}-{given or 'drawn'}"] = session.run(
            None, dict(zip(names, inputs + noise, strict=True))
        )[0]
    if not given:
        inputs = dict(zip(names, values(arrays, "many-input-"), strict=True))
        showers["many"] = np.array(
            [session.run(None, inputs)[0] for _ in range(int(arrays["many"]))]
        )
    np.savez(out, **showers)
    assert not [name for name in sys.modules if name.startswith(("calozoo", "torch"))]


if __name__ == "__main__":
    main(*sys.argv[1:])
