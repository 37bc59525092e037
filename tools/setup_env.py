"""Make a virtual environment and install c360 in it; do nothing when that is done already.

    python3 tools/setup_env.py [--env DIR] [EXTRA ...]

It uses uv when uv is there, else venv and pip, and the versions in requirements.lock where those are tested. This file
holds to what any Python can read, even 2.7, because its first duty is to say when Python is too old.
"""

from __future__ import print_function

import hashlib
import json
import os
import re
import subprocess
import sys

OLDEST = (3, 11)
NEWEST_LOCKED = (3, 13)  # the lock is tested up to here; a newer Python may need newer packages
FETCHED = "3.13"  # what uv is asked for when there is no suitable Python at all
CANDIDATES = ("python3.13", "python3.12", "python3.11", "python3")
UNLOCKED_EXTRAS = frozenset(["spark"])  # needs pandas 2.3, so it cannot share the lock
STAMP = "c360-setup.json"
WHERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class SetupError(Exception):
    """Set-up cannot go on; the message is one sentence for a person."""


def main(arguments, version=tuple(sys.version_info[:3])):
    """Prepare the environment; the exit status. On a Python that is too old, hand over to a newer one."""
    try:
        if version < OLDEST:
            return subprocess.call([newer_python(version), os.path.abspath(__file__)] + arguments)
        env, extras = parsed(arguments)
        prepare(WHERE, env, extras)
    except SetupError as error:
        print("c360: {0}".format(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("c360: stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def parsed(arguments):
    """The folder of the environment and the set of extras.

    >>> parsed(["--env", ".venv-spark", "spark", "test"]) == (".venv-spark", {"spark", "test"})
    True
    """
    if arguments[:1] == ["--env"] and len(arguments) > 1:
        return arguments[1], set(arguments[2:])
    if any(word.startswith("-") for word in arguments):
        raise SetupError("expected [--env DIR] [EXTRA ...], got: {0}".format(" ".join(arguments)))
    return ".venv", set(arguments)


def newer_python(version, run=None):
    """The path of an interpreter that is new enough, when this one is not; SetupError when there is none."""
    run = run or output_of
    for name in CANDIDATES:
        found = run([name, "-c", "import sys; print(sys.version_info >= {0} and sys.executable or '')".format(OLDEST)])
        if found:
            return found
    if run(["uv", "--version"]):
        wanted = ">={0}.{1}".format(*OLDEST)
        found = run(["uv", "python", "find", "--system", wanted])
        if not found:
            say("no Python {0}.{1} or newer here: asking uv for Python {2}".format(OLDEST[0], OLDEST[1], FETCHED))
            run(["uv", "python", "install", FETCHED])
            found = run(["uv", "python", "find", "--system", wanted])
        if found:
            return found
    raise SetupError(
        "Python {0}.{1} or newer is needed and this is Python {2}: install a newer Python, then run the same "
        "command again.".format(OLDEST[0], OLDEST[1], ".".join(str(part) for part in version))
    )


def prepare(root, env, extras):
    """Make the environment `env` under `root` and install c360 with `extras`, unless that stands already."""
    folder = os.path.join(root, env)
    digest = inputs_digest(root)
    uv = bool(output_of(["uv", "--version"]))
    done = read_stamp(folder)
    whole = done.get("folder", folder) == folder and usable(folder, uv)  # scripts of a moved one point to the old place
    if whole and done.get("digest") == digest and extras <= set(done["extras"]):
        say("{0} is up to date".format(env))
        return
    if not whole:
        make_environment(folder, env, uv)
        done = {}
    extras = extras | set(done.get("extras", []))
    install(root, folder, extras, uv)
    with open(os.path.join(folder, STAMP), "w") as stamp:
        json.dump({"folder": folder, "digest": digest, "extras": sorted(extras)}, stamp)
    say("{0} is ready".format(env))


def inputs_digest(root):
    """A digest of what an installation depends on: pyproject.toml and the lock."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "requirements.lock"):
        with open(os.path.join(root, name), "rb") as source:
            digest.update(source.read())
    return digest.hexdigest()


def read_stamp(folder):
    """What the last finished installation wrote down; empty when none finished."""
    try:
        with open(os.path.join(folder, STAMP)) as stamp:
            return json.load(stamp)
    except (IOError, OSError, ValueError):
        return {}


def python_of(folder):
    """The interpreter of the environment in that folder."""
    return os.path.join(folder, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def usable(folder, uv):
    """Whether the environment runs, is new enough, and can be installed into."""
    test = "import sys{0}; print(sys.version_info >= {1} or '')".format("" if uv else ", pip", OLDEST)
    return bool(output_of([python_of(folder), "-c", test]))


def make_environment(folder, env, uv):
    """Make an empty environment, in place of a broken one; SetupError where this Python cannot."""
    if os.path.isdir(folder) and os.listdir(folder) and not os.path.exists(os.path.join(folder, "pyvenv.cfg")):
        raise SetupError("{0} is there and is no virtual environment: move it away, then run again.".format(env))
    running = "Python {0}.{1}.{2}".format(*sys.version_info)
    if uv:
        command = ["uv", "venv", "--quiet", "--no-project", "--seed", "--clear", "--python", sys.executable, folder]
    elif output_of([sys.executable, "-c", "import ensurepip, venv; print(1)"]):
        command = [sys.executable, "-m", "venv", "--clear", folder]
    else:
        raise SetupError(
            "{0} cannot make virtual environments: install its venv module (on Debian and Ubuntu: "
            "apt-get install python{1}.{2}-venv), then run the same command again.".format(running, *sys.version_info)
        )
    say("making {0} with {1}{2}".format(env, running, " and uv" if uv else ""))
    if subprocess.call(command) != 0:
        raise SetupError("{0} could not be made; the reason stands above.".format(env))


def install(root, folder, extras, uv):
    """Install c360 from `root`, editable, with those extras; SetupError when that fails."""
    python = python_of(folder)
    what = "-e ." if not extras else "-e .[{0}]".format(",".join(sorted(extras)))
    pins = []
    if sys.version_info[:2] <= NEWEST_LOCKED and not extras & UNLOCKED_EXTRAS:
        pins = ["--constraint", write_pins(root, folder)]
    say("installing c360{0}; the first time takes a minute or two".format(what[4:]))
    if uv:
        command = ["uv", "pip", "install", "--quiet", "--python", python]
    else:
        command = [python, "-m", "pip", "install", "--no-input", "-qq"]  # twice: no warnings, but errors
    command += pins + what.split(" ")
    if subprocess.call(command, cwd=root) != 0:
        raise SetupError("installing failed, for the reason above: put that right, then run the same command again.")


def write_pins(root, folder):
    """The lock without its hashes, which no installer accepts beside an editable package; the path of that file."""
    path = os.path.join(folder, "c360-pins.txt")
    with open(os.path.join(root, "requirements.lock")) as lock, open(path, "w") as pins:
        pins.writelines(line + "\n" for line in pins_of(lock.read()))
    return path


def pins_of(lock):
    r"""The pins of a lock, without hashes.

    >>> print(*pins_of("# made by a tool\na==1 ; os_name == 'nt' \\\n    --hash=sha256:0\nb==2 \\\n"), sep="; ")
    a==1 ; os_name == 'nt'; b==2
    """
    return [line.rstrip(" \\") for line in lock.splitlines() if re.match("[A-Za-z0-9]", line)]


def output_of(command):
    """What a command prints, trimmed; empty when it is not there or fails."""
    with open(os.devnull) as nothing, open(os.devnull, "w") as hole:
        try:
            process = subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=hole)
        except OSError:
            return ""
        printed = process.communicate()[0]
    return printed.decode("utf-8", "replace").strip() if process.returncode == 0 else ""


def say(sentence):
    """Tell the person at the keyboard what happens now."""
    print("c360: {0}".format(sentence))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
