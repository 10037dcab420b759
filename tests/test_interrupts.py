"""An interruption says what is kept; SIGTERM interrupts too."""

import signal
import threading

import pytest

from vanbench.interrupts import (
    Interrupted,
    children_ignore_ctrl_c,
    keeping,
    sigterm_interrupts,
)


def test_the_innermost_text_is_the_one_that_is_said():
    outer, inner = keeping(lambda: "Nothing is kept."), keeping(lambda: "12 images are kept.")
    with pytest.raises(Interrupted, match=r"^12 images are kept\.$"), outer, inner:
        raise KeyboardInterrupt


def test_the_text_is_made_when_it_is_needed():
    done = []

    def work():
        done.extend(["a", "b"])
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="2 models"), keeping(lambda: f"{len(done)} models"):
        work()


def test_other_exceptions_pass():
    with pytest.raises(ValueError, match="x"), keeping(lambda: "not asked for"):
        raise ValueError("x")


def test_sigterm_interrupts_and_its_handler_is_set_back():
    with pytest.raises(KeyboardInterrupt), sigterm_interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_programs_own_handler_stays():
    received = []
    signal.signal(signal.SIGTERM, lambda *_: received.append("own"))
    try:
        with sigterm_interrupts():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert received == ["own"]


def test_children_ignore_ctrl_c_and_the_handler_is_set_back():
    before = signal.getsignal(signal.SIGINT)
    with children_ignore_ctrl_c():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is before is signal.default_int_handler


def test_nothing_changes_in_another_thread():
    handlers = []

    def work():
        with sigterm_interrupts(), children_ignore_ctrl_c():
            handlers.append(signal.getsignal(signal.SIGTERM))
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.SIG_DFL, signal.default_int_handler]
