"""Normal forms: fractions of polynomials in the regions of a domain, and proofs from them."""
