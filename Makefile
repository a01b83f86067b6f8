# `make run` and `make test` are all that a fresh machine needs; the work is done in scripts/.

.DEFAULT_GOAL := help
.PHONY: help run test lint playground schema clean

help: ## show this list
	@echo 'labql: one live GraphQL API over experiments, datasets, focal planes and flows'
	@echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1 - \2/p' $(MAKEFILE_LIST)

run: ## build all, load the demo lab, serve it and print the playground's address
	@scripts/run.sh

test: ## run every test; installs what is missing and starts its own PostgreSQL and Slurm
	@scripts/test.sh

lint: ## check format, lints, licences and sources of dependencies
	@scripts/lint.sh

playground: ## build the GraphiQL app, if its sources are newer
	@scripts/playground.sh

schema: ## write schema.graphql anew
	@cargo run --locked --quiet -- schema > schema.graphql.new
	@mv schema.graphql.new schema.graphql

clean: ## delete everything that was built, and the demo lab
	cargo clean
	rm -rf playground/dist playground/node_modules tests/outside/node_modules .labql
