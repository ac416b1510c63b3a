"""What a SMILES may leave open, and how it is told."""

from __future__ import annotations

import re

import pytest
from rdkit import Chem

from cluster_qc.errors import InputError
from cluster_qc.structure.drawing import check_double_bonds, mirrored, read_ligand


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("thiazolidine-2-thione", "a name or a formula"),
        ("S=C1NCCS1 a name", "not a valid SMILES"),
        ("S=C1N(C)(C)CCS1", r"atom 3 \(N\) has too many bonds"),
        ("c1ccnc1S", r"write the N-H .* as \[nH\]"),
        ("[Na+].[S-]C1=NCCS1", r"give the ligand alone: \[S-\]C1=NCCS1"),
        ("S=C1N[C@H](C[Fe])CS1", "contains a metal, Fe"),
        ("S=C1N[C@H](*)CS1", "placeholder"),
        ("S=C1N[CH]CS1", r"1 unpaired electron\(s\) at atom 4, \[CH\]"),
        ("S=C1[N]CCS1", "unpaired electron"),
        ("CS(=O)CC", "hand of stereocentres open: atom 2"),
        ("CP(c1ccccc1)CS", "hand of stereocentres open: atom 2"),
    ],
)
def test_drawings_that_are_no_ligand_are_refused(smiles, message):
    with pytest.raises(InputError) as refusal:
        read_ligand(smiles)
    assert re.search(message, str(refusal.value))


@pytest.mark.parametrize(
    "smiles", ["Oc1ccc2ccccc2c1-c1c(S)ccc2ccccc12", "Cc1ccccc1N1C(C)=CNC1=S", "Cc1cccc(Cl)c1N1C=CNC1=S"]
)
def test_a_crowded_axis_needs_its_hand_and_the_message_draws_both(smiles):
    with pytest.raises(InputError, match="chiral axis open") as refusal:
        read_ligand(smiles)
    drawn = re.findall(r"'(.*?)'", refusal.value.fix)
    p, m = (Chem.MolToCXSmiles(read_ligand(text)) for text in drawn)
    assert p != m
    assert Chem.MolToCXSmiles(mirrored(read_ligand(drawn[0]))) == m


@pytest.mark.parametrize(
    "smiles",
    ["Cc1cccc(C)c1N1C=CNC1=S", "Cc1ccccc1N1C=CNC1=S", "c1ccccc1-c1ccccc1S", "Fc1cccc(Cl)c1N1C=CNC1=S"],
)
def test_axes_that_turn_or_have_no_hand_are_left_alone(smiles):
    assert read_ligand(smiles).GetNumAtoms()


@pytest.mark.parametrize(
    ("smiles", "frame"),
    [("CC(=NC)NC", {1, 2, 4}), ("CC(=N)NCC", set()), ("C/C=N/O", set()), ("C1CC=NC1", set())],
)
def test_double_bonds_that_are_drawn_or_set_by_the_core_pass(smiles, frame):
    check_double_bonds(read_ligand(smiles), frame, smiles)


@pytest.mark.parametrize("smiles", ["CC=CC", "CC=NO", "CN=NC", "CC(=NNC(=S)N)c1ccccc1"])
def test_double_bonds_left_open_are_refused(smiles):
    with pytest.raises(InputError, match="leaves open how the double bond"):
        check_double_bonds(read_ligand(smiles), set(), smiles)


def test_the_mirror_image_of_the_mirror_image_is_the_molecule():
    for smiles in ("S=C1N[C@H](C[S@](C)=O)CS1", "C[P@](c1ccccc1)CS", "S=C1NCCS1"):
        molecule = read_ligand(smiles)
        assert Chem.MolToSmiles(mirrored(mirrored(molecule))) == Chem.MolToSmiles(molecule)
        chiral = "@" in smiles
        assert (Chem.MolToSmiles(mirrored(molecule)) != Chem.MolToSmiles(molecule)) is chiral
