"""What ways to rewrite an instruction have earned in earlier searches, and what a new one may draw from that."""
