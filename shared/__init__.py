"""What two or more processes use. Imports run down only, in the order that .importlinter gives."""
