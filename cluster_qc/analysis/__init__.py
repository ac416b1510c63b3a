"""What excitations and orbitals say: shares, character, rotatory strengths, spectra, levels against measurements."""
