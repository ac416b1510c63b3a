import numpy as np
import pytest

from cluster_qc.analysis.measured import ascending, read_table
from cluster_qc.analysis.photon_axis import axis_unit, photon_energies_ev
from cluster_qc.errors import InputError

X = np.linspace(2.0, 5.0, 31)
Y = 10.0 + X**2


def written(tmp_path, text, name="curve.csv", **how):
    (tmp_path / name).write_text(text, **how)
    return tmp_path / name


def table_text(delimiter, comma=False, header="", x=X, y=Y):
    rows = [f"{a:.4f}{delimiter}{b:.6e}" for a, b in zip(x, y, strict=True)]
    body = "\n".join(rows) + "\n"
    return header + (body.replace(".", ",") if comma else body)


LAYOUTS = {
    "comma": table_text(",", header="energy_eV,counts\n"),
    "semicolon": table_text(";", header="energy (eV);counts\n"),
    "semicolon, decimal comma": table_text(";", comma=True, header="energy (eV);counts\n"),
    "tab": table_text("\t", header="energy (eV)\tcounts\n"),
    "tab, decimal comma": table_text("\t", comma=True, header="energy (eV)\tcounts\n"),
    "tab, names and units": table_text("\t", header="sample 3\nenergy\tcounts\neV\t1/s\n"),
    "blanks": table_text("   ", header="# a remark\n# energy (eV)   counts\n"),
    "blanks, decimal comma": table_text(" ", comma=True, header="energy/eV counts\n"),
    "no header": table_text(", "),
    "settings first": table_text(",", header="Instrument,X-1\nDate: 1.2.2024\n\nenergy [eV],counts\n"),
    "separator at the end": table_text(";", header="energy (eV);counts;\n").replace("\n", ";\n"),
    "quoted, decimal comma": "\n".join(
        [
            '"energy, in eV","counts"',
            *(f'"{a:.4f}","{b:.6e}"'.replace(".", ",") for a, b in zip(X, Y, strict=True)),
        ]
    ),
    "Jasco": "TITLE\tfilm\nXUNITS\teV\nYUNITS\tcounts\nNPOINTS\t31\nXYDATA\n"
    + table_text("\t")
    + "\n##### Extended Information\n[Comments]\nSample name\t1\n1 2\n",
    "JCAMP-DX": "##TITLE= film\n##XUNITS= eV\n##YUNITS= counts\n##XFACTOR= 1.0\n##XYPOINTS= (XY..XY)\n"
    + table_text(", ")
    + "##END=\n",
    "old Mac line ends": table_text(",", header="energy_eV,counts\n").replace("\n", "\r"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_numbers(tmp_path, layout):
    table = read_table(written(tmp_path, LAYOUTS[layout], encoding="utf-8"))
    np.testing.assert_allclose(table.values, np.column_stack([X, Y]), rtol=1e-6)
    assert ("comma" in layout and layout != "comma") == bool(table.remarks)
    if layout != "no header":
        assert "ev" in table.names[0]
        assert "counts" in table.names[1]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    text = table_text(",", header="Messung für µ\nenergy (eV),counts\n")
    table = read_table(written(tmp_path, text, encoding=encoding))
    np.testing.assert_allclose(table.values[:, 0], X)


BAD = {
    "": "is empty",
    "# nothing\n": "only comments",
    "a,b\nc,d\n": "curve.csv:1: no line of the file holds two numbers",
    "1,2\n2,3\n": "curve.csv:2: the file has only 2 rows",
    table_text(",").replace("2.5000,1.625000e+01", "2.5000,NaN"): "curve.csv:6: a value is missing",
    table_text(",").replace("2.5000,1.625000e+01", "2.5000,"): "curve.csv:6: a value is missing",
    table_text(",").replace("2.0000,1.400000e+01", "2.0000,NaN"): "curve.csv:1: a value is missing",
    table_text(",").replace("2.5000,1.625000e+01", "2.5000,16,1"): "curve.csv:6: 3 columns",
    table_text(",").replace("2.5000,1.625000e+01", "2.5000,1O"): "curve.csv:6: '1O' is not a number",
    table_text(",").replace("2.5000,1.625000e+01", "2.5000,1e999"): "curve.csv:6: a number is too large",
    "energy,counts\n" + "".join(f"{i},50,{i},25\n" for i in range(30)): "curve.csv:2: 4 whole numbers",
    "energy,counts\n" + "".join(f"{i},50,{i}\n" for i in range(30)): "curve.csv:2: 3 whole numbers",
    "##XFACTOR= 0.1\n" + table_text(" "): "curve.csv:1: JCAMP-DX with scaled data",
    "##BLOCKS= 2\n" + table_text(" "): "curve.csv:1: JCAMP-DX with several spectra",
    '{"counts": "' + 150_000 * "1" + '"}\n': "curve.csv:1: a line of 150014 characters",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_files_are_named_with_their_line(tmp_path, text):
    with pytest.raises(InputError) as error:
        read_table(written(tmp_path, text))
    assert BAD[text] in str(error.value)


def test_what_is_no_text_file(tmp_path):
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "data.bin").write_bytes(bytes(range(256)))
    (tmp_path / "ups.vms").write_text(
        "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4\n1\n2\n"
    )
    for name, reason in (
        ("book.xlsx", "spreadsheet"),
        ("data.bin", "not a text"),
        ("ups.vms", r"VAMAS file.*\n.*cluster-qc ups"),
        (".", "folder"),
        ("no", "no such"),
    ):
        with pytest.raises(InputError, match=reason):
            read_table(tmp_path / name)


def test_direction_does_not_matter(tmp_path):
    table = read_table(written(tmp_path, table_text(",", x=X[::-1], y=Y[::-1])))
    axis, values = ascending(table, table.values[:, 0], table.values[:, 1])
    np.testing.assert_allclose(axis, X)
    np.testing.assert_allclose(values, Y)


def test_two_scans_in_a_column_are_refused(tmp_path):
    table = read_table(written(tmp_path, table_text(",", x=np.r_[X[:15], X[:16]])))
    with pytest.raises(InputError, match=r"curve\.csv:16: the axis goes from 3\.4 to 2"):
        ascending(table, table.values[:, 0], table.values[:, 1])


@pytest.mark.parametrize(
    ("name", "factor"), [("wavelength (nm)", 1.0), ("wavenumber (cm-1)", None), ("", 1.0)]
)
def test_photon_energy_from_its_unit(tmp_path, name, factor):
    nm = 1239.841984 / X
    x = nm if factor else 1e7 / nm
    table = read_table(written(tmp_path, table_text(";", x=x, header=f"{name};absorbance\n" if name else "")))
    energies, remarks = photon_energies_ev(table)
    np.testing.assert_allclose(energies, X, rtol=1e-5)
    assert bool(remarks) == (not name)


@pytest.mark.parametrize(("name", "x"), [("Wellenlänge", 1239.841984 / X), ("photon energy", X)])
def test_a_quantity_without_unit_is_an_assumption_that_is_told(tmp_path, name, x):
    text = table_text(";", x=x, header=f"{name};absorbance\n")
    energies, remarks = photon_energies_ev(read_table(written(tmp_path, text, encoding="utf-8")))
    np.testing.assert_allclose(energies, X, rtol=1e-4)  # four decimals of nm
    assert "is assumed" in remarks[0]


def test_two_units_are_none():
    assert axis_unit("from 300 nm, in eV") == (None, ())
    assert axis_unit("delta epsilon / L mol-1 cm-1") == (None, ())
    assert axis_unit("energy (cm-1)") == ("cm-1", ())


@pytest.mark.parametrize(("name", "looks"), [("energy (eV)", "nm"), ("wavelength (nm)", "eV")])
def test_a_wrong_unit_is_noticed(tmp_path, name, looks):
    x = 1239.84 / X if looks == "nm" else X
    table = read_table(written(tmp_path, table_text(";", x=x, header=f"{name};absorbance\n")))
    with pytest.raises(InputError, match=f"looks? like {looks}"):
        photon_energies_ev(table)
