#!/usr/bin/env bash
# Makes gen/ from proto/ (TypeScript, Go, OpenAPI, descriptors) and docs/configuration.md. Needs npm and Go.
# With --prepare it only fetches what `buf lint` and `buf breaking` need.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache="$PWD/.cache"
here=ops/generate

if [ ! "$here/node_modules/.package-lock.json" -nt "$here/package-lock.json" ]; then
  npm ci --prefix "$here" --ignore-scripts --silent
fi
google="$here/node_modules/google-proto-files/google"
module() { (cd "$here" && go mod download -json "$1") | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'; }
validate=$(module github.com/bufbuild/protovalidate@v1.2.2)/proto/protovalidate

rm -rf "$cache/proto"
mkdir -p "$cache/bin" "$cache"/proto/{google/api,google/rpc,buf/validate,grpc/health/v1,grpc/reflection}
cp "$google"/api/{annotations,http}.proto "$cache/proto/google/api/"
cp "$google"/rpc/error_details.proto "$cache/proto/google/rpc/"
cp "$validate"/buf/validate/validate.proto "$cache/proto/buf/validate/"
cp "$here"/node_modules/grpc-health-check/proto/health/v1/health.proto "$cache/proto/grpc/health/v1/"
cp -r "$here"/node_modules/@grpc/reflection/build/proto/grpc/reflection/{v1,v1alpha} "$cache/proto/grpc/reflection/"
chmod -R u+w "$cache/proto"
[ "${1:-}" = --prepare ] && exit 0

for tool in connectrpc.com/connect/cmd/protoc-gen-connect-go \
  google.golang.org/grpc/cmd/protoc-gen-go-grpc \
  google.golang.org/protobuf/cmd/protoc-gen-go \
  github.com/sudorandom/protoc-gen-connect-openapi; do
  (cd "$here" && go build -mod=readonly -o "$cache/bin/" "$tool")
done

rm -rf gen/ts gen/conformance gen/go/llmgateway gen/openapi
PATH="$cache/bin:$PWD/node_modules/.bin:$PATH"
buf generate
# Standard services, which are served beside the contract and are no part of it.
buf generate "$cache/proto" --path "$cache/proto/grpc" --template "$here/buf.gen.ts.yaml" -o gen/ts
# What the tests say to Connect's conformance runner.
conformance=$(module connectrpc.com/conformance@v1.0.7)/proto
buf generate "$conformance" --path "$conformance/connectrpc/conformance/v1/server_compat.proto" \
  --path "$conformance/connectrpc/conformance/v1/service.proto" --template "$here/buf.gen.ts.yaml" -o gen/conformance
# The contract as descriptors, for the OpenAPI document.
buf build proto --exclude-source-info -o "$cache/llmgateway.binpb"
node "$here/openapi.mts" "$cache/plugin.openapi.json"
# The reference of the configuration is made of its proto's comments.
node "$here/config-docs.mts"
