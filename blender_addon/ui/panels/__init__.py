"""What the sidebar and the preferences show."""
