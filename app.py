"""Opens a workspace and serves the web app: python app.py [--workspace DIR] [--port 7860]."""

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ui.access import Access

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

PROJECT = Path(__file__).resolve().parent
LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
FIRST_SCENES = 120


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line of app.py."""
    parser = argparse.ArgumentParser(
        prog="app.py", description="Serve a Tagmask workspace as a web app."
    )
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path("workspace"),
        metavar="DIR",
        help="the project's folder; made with sample scenes where it does not exist",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on")
    parser.add_argument("--read-only", action="store_true", help="show everything, change nothing")
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="listen on an address that others reach, although there is no login",
    )
    parser.add_argument(
        "--public-name",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="a name by which browsers reach this server, as they write it; may be given again",
    )
    parser.add_argument(
        "--proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="address or network of a proxy in front, whose X-Forwarded headers are believed",
    )
    parser.add_argument(
        "--trust-proxy-header",
        metavar="NAME",
        help="the header in which such a proxy names the person who logged in there",
    )
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="serve HTTPS with this")
    parser.add_argument("--key", type=Path, metavar="FILE", help="and this private key (PEM)")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serves until interrupted; 0, or 2 after a sentence on stderr."""
    options = parse_arguments(arguments)
    from backend.errors import TagmaskError

    try:
        return serve(options)
    except TagmaskError as error:
        print(f"tagmask: {error}", file=sys.stderr)
        return 2


def serve(options: argparse.Namespace) -> int:
    """Listens first, so that a taken port is known before anything is made."""
    from backend.workspace import Workspace

    access = how_reached(options)
    if not (options.workspace / "workspace.json").exists():
        require_login(options, False)
    listener = listen(options.host, options.port)
    with listener:
        check_device(options.device)
        if not options.read_only:
            make_first_workspace(options.workspace)
        workspace = Workspace.open(options.workspace, read_only=options.read_only)
        require_login(options, workspace.store.users.any())
        import uvicorn

        from backend.supervisor import ensure_supervisor
        from ui.patience import PatientProtocol
        from ui.server import build_app

        address = shown_address(options.host, options.port, https=options.certificate is not None)
        with workspace.lock_app(address):
            if not options.read_only:
                ensure_supervisor(workspace.root)
            app = build_app(
                workspace,
                read_only=options.read_only,
                device=options.device,
                access=access,
            )
            config = uvicorn.Config(
                app,
                http=PatientProtocol,
                ws="none",
                log_level="warning",
                timeout_graceful_shutdown=3,
                # ui/access.py hears proxies, and only those that were named; uvicorn believes
                # every process of this machine.
                proxy_headers=False,
                server_header=False,
                ssl_certfile=options.certificate,
                ssl_keyfile=options.key,
            )
            app.state.context.inspectors.warm_up()
            print(f"Tagmask serves {workspace.root} on {address}", flush=True)
            try:
                uvicorn.Server(config).run(sockets=[listener])
            except KeyboardInterrupt:
                print("\nTagmask has stopped. Runs that were started go on.", flush=True)
            finally:
                app.state.context.crf.close()
    return 0


def how_reached(options: argparse.Namespace) -> "Access":
    """Names and proxies by which this server may be reached; WorkspaceError where they do not
    make sense together."""
    from backend.errors import WorkspaceError
    from ui.access import Access, networks

    proxies = networks(options.proxy)
    if options.trust_proxy_header and not proxies:
        raise WorkspaceError(
            "Anybody can send a header. Name the proxy whose --trust-proxy-header is to be "
            "believed with --proxy ADDRESS, for instance --proxy 127.0.0.1."
        )
    if (options.certificate is None) != (options.key is None):
        raise WorkspaceError("HTTPS needs both --certificate FILE and --key FILE.")
    for file in (options.certificate, options.key):
        if file is not None and not file.is_file():
            raise WorkspaceError(f"There is no file {file}; HTTPS needs a PEM file there.")
    local = options.host in LOCAL_NAMES
    names = {*LOCAL_NAMES, *(name.partition(":")[0] for name in options.public_name)}
    if not local:
        # A full name is asked of the network (getfqdn), so it has to be given: --public-name.
        names |= {options.host, socket.gethostname(), f"{socket.gethostname()}.local"}
    return Access(
        hosts=frozenset(name.lower() for name in names),
        by_number=not local,
        public=frozenset(name.lower() for name in options.public_name),
        proxies=proxies,
        header=options.trust_proxy_header,
    )


def require_login(options: argparse.Namespace, users: bool) -> None:
    """Stops where other machines could reach a workspace that nobody has to log in to."""
    from backend.errors import WorkspaceError

    open_to_others = options.host not in LOCAL_NAMES or bool(options.proxy or options.public_name)
    if not open_to_others or users or options.trust_proxy_header or options.insecure:
        return
    raise WorkspaceError(
        f"Anyone who reaches {options.host} could change this workspace, because nobody has to "
        f"log in. Make a user (`python -m backend users add {options.workspace} NAME --role "
        "trainer`), leave --host away to serve this machine only, or add --insecure where the "
        "network is trusted."
    )


def shown_address(host: str, port: int, *, https: bool = False) -> str:
    """The address to open in a browser on this machine."""
    scheme = "https" if https else "http"
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; WorkspaceError where the port is taken or not allowed."""
    from backend.errors import WorkspaceError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Named TCP, because asyncio sets TCP_NODELAY for no other; without it answers wait 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        raise WorkspaceError(
            f"Port {port} of {host} cannot be used ({error}). If Tagmask already runs there, open "
            f"it in a browser; else choose another port, for instance --port {port + 1}."
        ) from error
    return listener


def check_device(device: str) -> None:
    """Stops with a sentence where CUDA is asked for and absent."""
    if device != "cuda":
        return
    import torch

    from backend.errors import WorkspaceError

    if not torch.cuda.is_available():
        raise WorkspaceError(
            "CUDA was asked for, but PyTorch sees no CUDA device here. Use --device cpu, or "
            "install a driver and a CUDA build of PyTorch."
        )


def make_first_workspace(root: Path) -> None:
    """Makes a workspace of sample scenes where there is nothing yet; what it does is printed."""
    from backend.errors import WorkspaceError

    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        return
    print(f"There is no workspace at {root} yet; making one of {FIRST_SCENES} sample scenes.")
    command = [sys.executable, "-m", "backend", "init", str(root.absolute())]
    command += ["--scenes", str(FIRST_SCENES)]
    done = subprocess.run(command, cwd=PROJECT, check=False)
    if done.returncode != 0:
        raise WorkspaceError(
            f"The first workspace could not be made at {root}; the lines above say why. Choose a "
            "folder that you may write to with --workspace DIR."
        )


if __name__ == "__main__":
    sys.exit(main())
