# What people run every day, one line each; the documents say what each does, and how to do it without `just`.

# List the recipes
default:
    @just --list

# Serve the API for development; needs nothing (README.md)
dev:
    cargo run -- dev

# Everything, as continuous integration runs it (docs/testing.md)
check:
    ./.ci/check

# Every test but those that need PostgreSQL (docs/testing.md)
test *arguments:
    cargo test --workspace {{arguments}}

# Format the code (docs/CONTRIBUTING.md)
fmt:
    cargo fmt --all

# Warnings are errors (docs/CONTRIBUTING.md)
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The documentation of the code (docs/CONTRIBUTING.md)
doc:
    cargo doc --workspace --no-deps --open

# Write the OpenAPI document again (docs/testing.md)
openapi:
    cargo run --quiet -- openapi > docs/openapi.json

# Generate the TypeScript client from the OpenAPI document (docs/clients/typescript/README.md)
client:
    cd docs/clients/typescript && npm ci && npm run generate

# Measure beside reference servers (docs/performance.md)
bench *arguments:
    cargo run --release -p bench -- {{arguments}}

# Break things under load, with its table (docs/testing.md)
faults:
    cargo test -p api-actix --test faults -- --include-ignored --nocapture

# One odd client or one greedy user, and what the others notice (docs/operations/attacks.md)
attacks *arguments:
    cargo run --release -p bench --bin attacks -- {{arguments}}
