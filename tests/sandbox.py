"""What a container is to a process: no root, no capability, one folder that can be written to."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest


def sandboxed(folder: Path) -> tuple[str, ...]:
    """Return the beginning of a command line that runs the rest as a container would.

    It says first as whom, and whether the root can be written. Where there are no user
    namespaces the test is skipped.

    Args:
        folder: The test's own: `instance` in it is the volume, `tmp` in memory, the rest read-only.
    """
    instance, temporary = folder / "instance", folder / "tmp"
    for each in (instance, temporary):
        each.mkdir(mode=0o700)
    inside = (
        'echo "as=$(id -u) root=$( (: >"$0/x") 2>/dev/null && echo rw || echo ro)'
        ' $(grep -E "^(NoNewPrivs|CapEff)" /proc/self/status | sort -r | tr -d "\\t" | xargs)";'
        ' exec "$@"'
    )
    outside = f"""
        mount --make-rprivate /
        mount --bind {shlex.quote(str(instance))} {shlex.quote(str(instance))}
        mount -t tmpfs -o size=64m,noexec,nosuid,nodev none {shlex.quote(str(temporary))}
        for each in $(awk '{{print $2}}' /proc/mounts); do
          case {shlex.quote(str(folder))}/ in
            "${{each%/}}"/*) mount -o remount,ro,bind "$each";;
          esac
        done
        exec unshare --user --map-user=10001 --map-group=10001 \\
          setpriv --no-new-privs --inh-caps=-all "$@"
    """
    around = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", outside, "sh")
    if (
        not shutil.which("unshare")
        or subprocess.run([*around, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no sandbox here: it takes Linux' user namespaces")
    return (*around, "sh", "-c", inside, str(folder))
