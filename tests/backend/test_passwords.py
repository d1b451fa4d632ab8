"""What may be a password, and that what is kept of one tells nothing and costs time."""

import time

import pytest

from backend import passwords
from backend.errors import DataError

GOOD = "correct horse battery"


def test_what_is_kept_fits_its_own_password_only_and_is_salted() -> None:
    secret = passwords.secret_of(GOOD)
    assert passwords.fits(GOOD, secret)
    assert not passwords.fits(GOOD + " ", secret)
    assert not passwords.fits("", secret)
    assert GOOD not in secret
    assert secret != passwords.secret_of(GOOD)


def test_it_is_scrypt_with_the_setting_that_owasp_names() -> None:
    import hashlib

    kind, cost, block, parallel, salt, digest = passwords.secret_of(GOOD).split("$")
    assert (kind, cost, block, parallel) == ("scrypt", "16384", "8", "5")
    again = hashlib.scrypt(
        GOOD.encode(), salt=bytes.fromhex(salt), n=16384, r=8, p=5, maxmem=1 << 26, dklen=32
    )
    assert again.hex() == digest


def test_nobody_and_a_user_without_password_fit_nothing_but_take_as_long() -> None:
    secret = passwords.secret_of(GOOD)
    took = {}
    for name, kept in (("right", secret), ("nobody", None), ("none", passwords.NONE)):
        times = []
        for _ in range(3):
            began = time.process_time()
            assert passwords.fits(GOOD, kept) == (name == "right")
            times.append(time.process_time() - began)
        took[name] = min(times)
    assert min(took.values()) > 0.5 * max(took.values()), took


def test_a_password_of_megabytes_is_cut_before_it_is_hashed() -> None:
    began = time.process_time()
    assert not passwords.fits("x" * 50_000_000, passwords.secret_of("x" * passwords.LONGEST))
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "password", ["short", "x" * 1025, "aaaaaaaaaaaa", "abababababab", "margarethe", "garethemar"]
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(DataError):
        passwords.require_fit(password, "Margarethe")


def test_generated_passwords_fit_and_differ() -> None:
    made = {passwords.generated() for _ in range(50)}
    assert len(made) == 50
    for each in made:
        passwords.require_fit(each, "ana")
        assert not set("lIO01") & set(each)
