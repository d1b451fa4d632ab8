"""Fetching torchvision's weights: from a real server, checked, and never half a file."""

import hashlib
import io
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import torch

from backend.__main__ import main
from backend.errors import WeightsError
from backend.networks import TORCHVISION, build_backbone
from backend.weights import FETCHABLE, classifiers, fetch, fetching


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real server on this machine that publishes a slim trunk the way torchvision does."""
    folder = tmp_path / "server"
    folder.mkdir()
    buffer = io.BytesIO()
    torch.save(build_backbone("slim").state_dict(), buffer)
    digits = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    path = folder / f"slim-{digits}.pth"
    path.write_bytes(buffer.getvalue())
    server = HTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/{path.name}"
    monkeypatch.setattr(fetching, "address_of", lambda name: address)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    yield path
    server.shutdown()
    server.server_close()


def test_fetched_weights_are_checked_and_found_again(published: Path, tmp_path: Path) -> None:
    found = fetch("slim")
    assert found.path == tmp_path / "torch" / "hub" / "checkpoints" / published.name
    assert found.normalisation == TORCHVISION
    published.unlink()
    assert fetch("slim").path == found.path


def test_a_download_with_another_sha256_leaves_nothing(published: Path, tmp_path: Path) -> None:
    published.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="not the published file"):
        fetch("slim")
    assert not list((tmp_path / "torch" / "hub" / "checkpoints").iterdir())


def test_without_a_network_fetching_says_so_in_a_sentence(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = f"http://127.0.0.1:9/{published.name}"
    monkeypatch.setattr(fetching, "address_of", lambda name: closed)
    with pytest.raises(WeightsError, match=r"could not be downloaded.*copy the file to"):
        fetch("slim")


def test_every_fetchable_name_has_an_address_with_its_digits() -> None:
    for name in FETCHABLE:
        assert fetching.address_of(name).startswith("https://")
        assert len(fetching.address_of(name).rsplit("-", 1)[-1]) == len("00000000.pth")
    with pytest.raises(WeightsError, match="no weights for 'slim'"):
        fetching.address_of("slim")


def test_the_command_prints_where_the_fetched_file_is(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "fetch", "slim"]) == 0
    assert Path(capsys.readouterr().out.strip()).name == published.name


def test_a_whole_classifier_is_fetched_by_its_prefixed_name_and_then_found(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offer = classifiers.Offer(16, (published.name,))
    monkeypatch.setitem(classifiers.OFFERED, "squeezenet1_1", offer)
    assert main(["weights", "fetch", "torchvision:squeezenet1_1"]) == 0
    path = capsys.readouterr().out.strip()
    assert Path(path).name == published.name
    assert main(["weights", "list"]) == 0
    assert f"torchvision:squeezenet1_1: {path}" in capsys.readouterr().out


def test_every_classifier_has_an_address_with_its_files_name() -> None:
    for name, offer in classifiers.OFFERED.items():
        address = fetching.address_of(f"torchvision:{name}")
        assert address.startswith("https://")
        assert address.endswith(f"/{offer.files[0]}")
    with pytest.raises(WeightsError, match="no ImageNet classifier 'torchvision:slim'"):
        fetching.address_of("torchvision:slim")


def test_the_command_says_in_a_sentence_what_it_cannot_fetch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["weights", "fetch", "vgg99"]) == 2
    assert capsys.readouterr().err.startswith("tagmask: torchvision has no weights for 'vgg99'")


def test_the_command_lists_the_files_that_it_would_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAGMASK_WEIGHTS", str(tmp_path))
    (tmp_path / "vgg16-a.pth").touch()
    assert main(["weights", "list"]) == 0
    assert f"vgg16: {tmp_path / 'vgg16-a.pth'}" in capsys.readouterr().out
