"""The options that commands share: each is a field of a group, declared once."""
