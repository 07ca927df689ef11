"""How accurate a sound submission is, on which images: measured over seeds."""
