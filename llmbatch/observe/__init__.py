"""What a run reports while it is in progress and when it ends, and to which observers."""
