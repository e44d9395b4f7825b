"""What is trained and measured: settings, profiles, the registry of artefacts."""
