"""Evolutions that have ended, scored by the shadows and judges of their profiles: nobody's answer waits for it."""
