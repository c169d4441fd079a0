"""Open-loop load on the real processes: three tenants, up to and beyond what the system can do, while workers die."""
