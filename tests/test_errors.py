"""Errors: three parts, exit codes, nearest names."""

import pickle
import subprocess
import sys

import pytest

from optgen import errors
from optgen.errors import CheckFailed, CompileError, Location, OptgenError, SpecError, nearest


def test_text_is_what_where_and_fix() -> None:
    error = SpecError("this is wrong", where=Location("specs/adam.py", 14), fix="mend it")
    assert str(error) == "this is wrong\n  at specs/adam.py:14\n  Fix: mend it"


def test_text_leaves_out_what_is_not_known() -> None:
    assert str(SpecError("this is wrong")) == "this is wrong"
    assert str(SpecError("this is wrong", fix="mend it")) == "this is wrong\n  Fix: mend it"
    assert str(SpecError("this is wrong", where="rule 3")) == "this is wrong\n  at rule 3"


def test_exit_codes_tell_a_failed_check_from_wrong_use() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, OptgenError)]
    assert len(kinds) > 6
    assert {k.exit_code for k in kinds if k is not CheckFailed} == {2}
    assert CheckFailed.exit_code == 1


def test_our_own_mistakes_are_no_user_errors() -> None:
    assert not issubclass(errors.InternalError, OptgenError)


def test_compile_error_keeps_command_and_output() -> None:
    error = CompileError("cc fails", command="cc -c adam.c", output="adam.c:3: error")
    assert (error.command, error.output) == ("cc -c adam.c", "adam.c:3: error")
    assert "cc -c adam.c" in str(error)
    assert "adam.c:3: error" in str(error)


@pytest.mark.parametrize(
    ("name", "known", "answer"),
    [
        ("adamv", ["adam", "adamw", "sgd"], "did you mean 'adam' or 'adamw'?"),
        ("sgdd", ["adam", "sgd"], "did you mean 'sgd'?"),
        ("ADAM", ["adam", "sgd"], "did you mean 'adam'?"),
        ("let", ["Let", "LET", "sgd"], "did you mean 'LET' or 'Let'?"),
        ("zzz", ["adam", "sgd"], ""),
        ("adam", [], ""),
    ],
)
def test_nearest(name: str, known: list[str], answer: str) -> None:
    assert nearest(name, known) == answer


def test_nearest_does_not_depend_on_order() -> None:
    known = ["lr", "lr_decay", "eps", "beta1", "beta2"]
    assert nearest("beta", known) == nearest("beta", reversed(known))


def test_importing_errors_imports_no_library() -> None:
    code = "import sys, optgen.errors; print('sympy' in sys.modules or 'numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    "error",
    [
        SpecError("what", where="where", fix="fix"),
        CompileError("refused", command="nvrtc a.cu", output="line 1: no"),
    ],
)
def test_an_error_comes_whole_out_of_another_process(error: OptgenError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
