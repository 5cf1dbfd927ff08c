"""A run's kernel as its process has it: started at once, ready as soon as it can be, and ended without waiting in vain.

jupyter_client does all of it, but waits where there is nothing to wait for: 0.2 s for output that does not come once
the kernel is ready, up to 0.1 s for a kernel that has ended already, up to 0.1 s for a socket that is there.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import select
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from typing import Any

from nbpr.engines import ending, strays

#: What the kernel's process writes to its own standard output and error.
LOG = "kernel.log"
#: Longer socket paths are refused by the operating system.
_SOCKET_PATH = 100
#: How many messages wait to be read: few, since each may be large, from a kernel that waits for its reader; from
#: others, whose messages are lost when there is no room for them, many.
_WAITING = {True: 5, False: 100_000}
#: How often it is tried whether the kernel's sockets are there, in milliseconds.
_SOCKETS = 10
#: How long a kernel that is asked may say nothing before it is asked again, and looked at whether it lives.
_ANSWER = 1.0
#: How long the end of an answer may take to come by the channel of outputs, which may be connected later.
_IDLE = 0.5
#: How long a kernel may take to close what it holds open.
_SHUTDOWN = 2.5


def start(request: Mapping[str, Any]) -> Any:
    """The manager of a kernel whose process has been started; it gets ready by itself."""
    import zmq.asyncio
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync

    file = str(Path(os.environ["JUPYTER_RUNTIME_DIR"], "kernel.json").absolute())
    # A socket file needs no port and shows no output to the network; ipykernel is known to take it, and nothing
    # else gets into a sandbox.
    sockets = (request["is_ipykernel"] and len(file) < _SOCKET_PATH) or request["is_sandboxed"]
    kernel = AsyncKernelManager(
        kernel_name=request["kernel"], connection_file=file, transport="ipc" if sockets else "tcp"
    )
    context = zmq.asyncio.Context()
    context.setsockopt(zmq.RCVHWM, _WAITING[request["is_ipykernel"]])
    context.setsockopt(zmq.RECONNECT_IVL, _SOCKETS)
    kernel.client = functools.partial(_client, kernel.client, context)
    environment = {**request["environment"], strays.MARK: os.environ[strays.MARK]}
    with Path(LOG).open("wb") as log:
        run_sync(kernel.start_kernel)(cwd=request["cwd"], env=environment, stdout=log, stderr=log)
    return kernel


def _client(make: Any, context: Any) -> Any:
    client = make(context=context)
    client.wait_for_ready = functools.partial(_ready, client)
    return client


async def _ready(client: Any, timeout: float) -> None:
    """Wait until the kernel answers, and until its outputs come through: the end of the answer comes by that way.

    Raises `RuntimeError`, as jupyter_client does, for a kernel that dies first or takes too long.
    """
    until = time.monotonic() + timeout
    while True:
        asked = client.kernel_info()
        if await _message(client.shell_channel, _ANSWER, "kernel_info_reply") and await _idle(client, asked):
            return
        if not await client.parent.is_alive():
            raise RuntimeError("Kernel died before replying to kernel_info")
        if time.monotonic() > until:
            raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")


async def _idle(client: Any, asked: str) -> bool:
    """Whether outputs come through: up to the end of this answer, or, of a kernel that does not tell it, at all."""
    until = time.monotonic() + _IDLE
    is_heard = False
    while (left := until - time.monotonic()) > 0:
        message = await _message(client.iopub_channel, left)
        is_heard = is_heard or message is not None
        if message and message["parent_header"].get("msg_id") == asked and _is_idle(message):
            return True
    return is_heard


def _is_idle(message: Mapping[str, Any]) -> bool:
    return (message["msg_type"], message["content"].get("execution_state")) == ("status", "idle")


async def _message(channel: Any, seconds: float, kind: str | None = None) -> Mapping[str, Any] | None:
    """The next message of a channel; None if none comes in time, or one of another kind than is wanted."""
    try:
        message: Mapping[str, Any] = await channel.get_msg(timeout=seconds)
    except Empty:
        return None
    return message if kind in (None, message["msg_type"]) else None


def last_cell() -> str:
    """What an ipykernel is to run at the very last, so that it ends sooner."""
    log = Path(LOG).stat()
    source = f"{inspect.getsource(ending)}\nprepare({(log.st_dev, log.st_ino)})\n"
    return f"exec({source!r}, {{}})"


def end(kernel: Any, *, well: bool) -> None:
    """Let the kernel shut down if all went `well`, so that what it holds open is closed; else end it."""
    from jupyter_core.utils import run_sync

    if not kernel.has_kernel:
        return
    if well:
        run_sync(kernel.request_shutdown)()
        if _has_ended(kernel.provisioner.process):
            return  # to shut down what is gone takes jupyter_client a tenth of a second
        run_sync(kernel.provisioner.terminate)()
        _has_ended(kernel.provisioner.process)
    run_sync(kernel.shutdown_kernel)(now=True)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process of ours ends in time; noticed at once where the system tells."""
    if hasattr(os, "pidfd_open") and process.poll() is None:
        descriptor = os.pidfd_open(process.pid)
        select.select([descriptor], [], [], _SHUTDOWN)
        os.close(descriptor)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0 if hasattr(os, "pidfd_open") else _SHUTDOWN)
        return True
    return False
