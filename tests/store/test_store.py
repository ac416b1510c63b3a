import dataclasses
import errno
import json
import os
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from cluster_qc import files, store
from cluster_qc.errors import StorageError
from cluster_qc.hashing import ground_hash, states_hash
from cluster_qc.model import Cluster, DFTMethod, Fragment, TDDFTMethod
from cluster_qc.records import record_path


def same(first, second):
    """Equal in every field, arrays bit by bit."""
    assert type(first) is type(second)
    for field in dataclasses.fields(first):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if dataclasses.is_dataclass(a):
            same(a, b)
        elif isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
            np.testing.assert_array_equal(a, b, err_msg=field.name)
        else:
            assert a == b, field.name


# --- the law: what is saved comes back, exactly -------------------------------------------------------------


@pytest.mark.parametrize("name", ["ground", "singlets", "triplets"])
def test_roundtrip_is_exact(name, request, tmp_path):
    obj = request.getfixturevalue(name)
    same(store.load(store.save(obj, tmp_path)), obj)


def test_absent_moments_stay_absent(triplets, singlets, tmp_path):
    assert store.load(store.save(triplets, tmp_path)).electric is None
    assert store.load(store.save(singlets, tmp_path)).velocity is None


def test_folder_is_named_as_documented(singlets, tmp_path):
    path = store.save(singlets, tmp_path)
    digest = states_hash(ground_hash(singlets.ground.cluster, singlets.ground.method), singlets.method)
    assert path == tmp_path / "h2_molecule_1" / f"singlets-{digest[:8]}"
    assert sorted(p.name for p in path.iterdir()) == ["arrays.npz", "record.json"]
    record = json.loads((path / "record.json").read_text())
    assert record["schema_version"] == 1
    assert record["input_hash"] == digest
    assert record["versions"]["numpy"] == np.__version__


def test_excited_states_bring_their_ground_state(singlets, tmp_path):
    names = sorted(p.name.split("-")[0] for p in store.save(singlets, tmp_path).parent.iterdir())
    assert names == ["scf", "singlets"]


def test_no_pickle_is_ever_read(ground, tmp_path):
    path = store.save(ground, tmp_path)
    with np.load(path / "arrays.npz", allow_pickle=False) as arrays:
        assert "coefficients" in arrays.files


# --- hashes: equal input reuses, changed input never does ---------------------------------------------------


def test_hash_ignores_labels_and_signed_zero(ground):
    other = Cluster(
        "other name",
        ("H", "H"),
        [[-0.0, 0.0, 0.0], [0.0, 0.1, 1.4]],
        fragments=(Fragment("all", (0, 1)),),
        source="elsewhere.xyz",
    )
    assert ground_hash(other, ground.method) == ground_hash(ground.cluster, ground.method)


def test_hash_sees_every_number(ground, singlets):
    first = ground_hash(ground.cluster, ground.method)
    moved = np.array(ground.cluster.coords)
    moved[0, 0] += 1e-15
    variants = [
        ground_hash(ground.cluster.with_coords(moved), ground.method),
        ground_hash(dataclasses.replace(ground.cluster, charge=2), ground.method),
        ground_hash(ground.cluster, dataclasses.replace(ground.method, conv_tol=2e-8)),
        ground_hash(ground.cluster, dataclasses.replace(ground.method, omega=0.3)),
        ground_hash(ground.cluster, dataclasses.replace(ground.method, permittivity=1.0)),
        states_hash(first, singlets.method),
        states_hash(first, dataclasses.replace(singlets.method, tda=True)),
        states_hash(first, dataclasses.replace(singlets.method, spin="triplet")),
        states_hash(first.replace("a", "b"), singlets.method),
    ]
    assert len({first, *variants}) == len(variants) + 1


def test_hash_sees_the_content_of_a_users_basis_set(cluster, tmp_path):
    file = tmp_path / "own.nw"
    methods = [DFTMethod("pbe0", str(file)), DFTMethod("pbe0", basis_overrides=(("H", str(file)),))]
    hashes = []
    for content in ("H S\n1.0 1.0\n", "H S\n2.0 1.0\n"):
        file.write_text(content)
        hashes += [ground_hash(cluster, method) for method in methods]
    assert len(set(hashes)) == 4


def test_hash_does_not_drift(cluster):
    """A change here makes every stored result of every user unusable: raise a revision on purpose only."""
    assert ground_hash(cluster, DFTMethod("pbe0"))[:8] == "50365248"
    assert states_hash("0" * 64, TDDFTMethod(nstates=3, tolerance=1e-3))[:8] == "64904961"


def test_find_carries_the_callers_labels(ground, tmp_path):
    store.put(tmp_path, ground, wall_time_s=3.0)
    renamed = dataclasses.replace(ground.cluster, name="new", fragments=())
    found, record = store.find_ground(tmp_path, renamed, ground.method)
    assert found.cluster is renamed
    assert record.wall_time_s == 3.0
    assert store.find_ground(tmp_path, renamed, DFTMethod("pbe0")) is None


def test_states_of_another_calculation_of_the_ground_state_are_not_taken(singlets, tmp_path):
    """The same input computed anew may have orbitals of other signs, to which the amplitudes do not belong."""
    ground = singlets.ground
    store.put(tmp_path, ground)
    path = store.put(tmp_path, singlets)
    anew = dataclasses.replace(ground, coefficients=-ground.coefficients)
    store.put(tmp_path, anew, replace=True)
    assert store.find_states(tmp_path, ground, singlets.method) is not None
    assert store.find_states(tmp_path, anew, singlets.method) is None
    with pytest.raises(StorageError, match="another calculation of its ground state") as caught:
        store.load(path)
    assert "run command again" in caught.value.fix


# --- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["arrays.npz", "record.json"])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_flipped_bit_is_found(ground, tmp_path, file, place):
    path = store.save(ground, tmp_path)
    content = bytearray((path / file).read_bytes())
    content[int(place * len(content))] ^= 1
    (path / file).write_bytes(content)
    with pytest.raises(StorageError) as caught:
        store.load(path)
    assert str(path / file) in caught.value.what or "schema version" in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize("file", ["arrays.npz", "record.json"])
@pytest.mark.parametrize("keep", [0, 10, -1])
def test_truncation_is_found(ground, tmp_path, file, keep):
    path = store.save(ground, tmp_path)
    content = (path / file).read_bytes()
    (path / file).write_bytes(content[:keep])
    if file == "record.json" and keep == -1:  # only the final line break is gone
        store.load(path)
        return
    with pytest.raises(StorageError) as caught:
        store.load(path)
    assert str(path / file) in caught.value.what
    assert f"delete the folder {path}" in caught.value.fix


def test_missing_file_is_named(ground, tmp_path):
    path = store.save(ground, tmp_path)
    (path / "arrays.npz").unlink()
    with pytest.raises(StorageError, match=r"arrays\.npz is damaged: it is missing"):
        store.load(path)
    with pytest.raises(StorageError, match="is not a record"):
        store.load(tmp_path / "nowhere")
    with pytest.raises(StorageError, match="is not a record") as caught:
        store.load(path.parent)
    assert path.name in caught.value.fix


def test_newer_schema_is_refused_as_such(ground, tmp_path):
    path = store.save(ground, tmp_path)
    content = json.loads((path / "record.json").read_text())
    content["schema_version"] = 99
    (path / "record.json").write_text(json.dumps(content))
    with pytest.raises(StorageError, match="schema version 99") as caught:
        store.load(path)
    assert "update" in caught.value.fix


def test_renamed_folder_is_not_taken_for_another_input(ground, tmp_path):
    path = store.put(tmp_path, ground)
    other = dataclasses.replace(ground.method, grid_level=5)
    path.rename(record_path(tmp_path, "scf", ground_hash(ground.cluster, other)))
    with pytest.raises(StorageError, match="another input"):
        store.find_ground(tmp_path, ground.cluster, other)


# --- whole or absent ----------------------------------------------------------------------------------------


def test_existing_record_wins(ground, tmp_path):
    path = store.save(ground, tmp_path)
    before = (path / "record.json").stat()
    store.save(dataclasses.replace(ground, energy=-2.0), tmp_path)
    assert (path / "record.json").stat().st_ino == before.st_ino
    assert store.load(path).energy == ground.energy


def test_replace_replaces(ground, tmp_path):
    store.put(tmp_path, ground)
    path = store.put(tmp_path, dataclasses.replace(ground, energy=-2.0), replace=True)
    assert store.load(path).energy == -2.0
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_record(ground, tmp_path):
    barrier = threading.Barrier(6)
    failures = []

    def write():
        barrier.wait()
        try:
            same(store.load(store.put(tmp_path, ground)), ground)
        except Exception as exc:  # noqa: BLE001
            failures.append(exc)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_failed_write_leaves_nothing(ground, tmp_path, monkeypatch, call, code):
    def fail(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StorageError) as caught:
        store.put(tmp_path / "results" if call == "mkdir" else tmp_path, ground)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert caught.value.exit_code == 2
    assert caught.value.fix


def test_full_disk_while_writing_arrays(ground, tmp_path):
    """A process that may not write more than 600 bytes to a file, as on a disk that fills up half way."""
    script = (
        "import resource, sys\n"
        "from cluster_qc import store\n"
        "from cluster_qc.errors import StorageError\n"
        "ground = store.load(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        "try:\n"
        "    store.save(ground, sys.argv[2])\n"
        "except StorageError as exc:\n"
        "    print(exc)\n"
    )
    path = store.save(ground, tmp_path / "good")
    target = tmp_path / "full"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(target)], capture_output=True, text=True, check=False
    )
    assert "cannot write" in done.stdout, done.stderr
    assert done.stderr == ""
    assert list((target / path.parent.name).iterdir()) == []


def test_killed_at_every_system_call_of_a_write(singlets, tmp_path):
    """SIGKILL before the n-th flush or rename, for every n: each record is whole or absent, never in between."""
    script = (
        "import os, signal, sys\n"
        "from cluster_qc import files, store\n"
        "states = store.load(sys.argv[1])\n"
        "left = [int(sys.argv[3])]\n"
        "def wrap(call):\n"
        "    def wrapped(*args, **kwargs):\n"
        "        left[0] -= 1\n"
        "        if left[0] < 0:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return call(*args, **kwargs)\n"
        "    return wrapped\n"
        "os.fsync, os.rename = wrap(os.fsync), wrap(os.rename)\n"
        "store.save(states, sys.argv[2])\n"
    )
    good = store.save(singlets, tmp_path / "good")
    for calls in range(30):
        target = tmp_path / f"killed{calls}"
        command = [sys.executable, "-c", script, str(good), str(target), str(calls)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        folder = target / good.parent.name
        for path in folder.glob("s*-*"):
            store.load(path)
        files.remove_unfinished(folder)
        assert [p.name for p in folder.glob(".*")] == []
        same(store.load(store.save(singlets, target)), singlets)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    assert calls > 6


def test_leftovers_of_dead_processes_are_removed(tmp_path):
    host = socket.gethostname()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone = tmp_path / f".unfinished-{host}-{dead.pid}-abc"
    mine = tmp_path / f".unfinished-{host}-{os.getpid()}-abc"
    other = tmp_path / ".unfinished-another-host-1-abc"
    for path in (gone, mine, other):
        path.mkdir()
    file = tmp_path / f".unfinished-{host}-{dead.pid}-abc.png"
    file.write_text("half")
    files.remove_unfinished(tmp_path)
    assert not gone.exists()
    assert not file.exists()
    assert mine.exists()
    assert other.exists()


# --- single files -------------------------------------------------------------------------------------------


def test_replaced_keeps_the_old_file_on_failure(tmp_path):
    path = tmp_path / "figure.png"
    files.write_text(path, "old")

    def fail():
        with files.replaced(path) as temporary:
            temporary.write_text("half")
            raise ValueError("drawing")

    with pytest.raises(ValueError, match="drawing"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_below_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a file, not a folder"):
        files.write_text(tmp_path / "file" / "summary.json", "{}")
