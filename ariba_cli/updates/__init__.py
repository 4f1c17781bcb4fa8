"""What each participant sent, checked: intake, reading layer by layer, fragments."""
