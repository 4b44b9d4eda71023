"""Make .venv and install the pinned packages: `python3 deploy/venv.py requirements.txt STAMP`.

Standard library only, and it says in a sentence what is missing. It runs before anything is
installed, so it must read as Python on versions that are too old as well.
"""

# ruff: noqa: PTH110, PTH118, PTH123, UP031, UP036
import os
import subprocess
import sys
import time

VENV = ".venv"
PYTHON = os.path.join(VENV, "bin", "python")
LOG = os.path.join(VENV, "install.log")


def main(requirements, stamp):
    began = time.time()
    if sys.version_info < (3, 11):
        sys.exit("Chartkey needs Python 3.11 or newer; this is %s." % sys.version.split()[0])
    make_venv()
    install(requirements, began)
    with open(stamp, "w") as file:
        file.write(requirements + "\n")
    print("  Packages installed: %.0f s" % (time.time() - began), flush=True)


def make_venv():
    """A venv whose Python is gone (a system upgrade) is made anew."""
    if (
        os.path.exists(PYTHON)
        and subprocess.call([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL) == 0
    ):
        return
    try:
        import ensurepip  # noqa: F401  Debian keeps it in a package of its own
    except ImportError:
        sys.exit(
            "This Python cannot make virtual environments. On Debian or Ubuntu: apt install python3.%d-venv"
            % sys.version_info[1]
        )
    print("  Making .venv with Python %s ..." % sys.version.split()[0], flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", VENV]) != 0:
        sys.exit("%s -m venv failed; its own words are above." % sys.executable)


def install(requirements, began):
    """pip, with its output in a log and a line of progress every few seconds."""
    with open(requirements) as file:
        total = sum("==" in line for line in file)
    command = [PYTHON, "-m", "pip", "install", "--require-hashes", "-r", requirements]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    count, said = 0, time.time()
    with open(LOG, "w") as log:
        pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            for line in pip.stdout:
                log.write(line)
                count += line.startswith(("Collecting ", "Requirement already satisfied"))
                writing = line.startswith("Installing collected")
                if writing or time.time() - said > 3:
                    said = time.time()
                    what = "writing them" if writing else "%d of at most %d" % (count, total)
                    print("  Installing packages: %s, %.0f s" % (what, said - began), flush=True)
        finally:
            if sys.exc_info()[0]:  # Ctrl-C: pip had it as well, or has it now
                pip.terminate()
            pip.wait()
    if pip.returncode != 0:
        with open(LOG) as log:
            print("".join(log.readlines()[-15:]), file=sys.stderr)
        sys.exit("pip could not install %s; all it said is in %s." % (requirements, LOG))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("\nStopped. Nothing is broken: the same command goes on where this one stopped.")
