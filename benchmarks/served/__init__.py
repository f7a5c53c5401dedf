"""What tenants are served, measured on the purchases that came after."""
