"""The mutation service: writes new instructions that keep the meaning of the old one."""
