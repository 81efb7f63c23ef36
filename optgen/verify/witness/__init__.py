"""Points at which two expressions differ: found, aimed at, enclosed and made small."""
