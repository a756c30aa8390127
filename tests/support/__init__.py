"""What tests share: benches, networks, drivers, and models of what stands outside."""
