"""Who is who: source accounts to persons, by declared rules, within constraints, with the evidence kept."""
