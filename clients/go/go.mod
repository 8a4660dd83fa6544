module github.com/llmgateway/llmgateway/clients/go

go 1.26.0

require (
	connectrpc.com/connect v1.21.1
	github.com/llmgateway/llmgateway/gen/go v0.1.0
	github.com/standard-webhooks/standard-webhooks/libraries v0.0.1
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261104224025-d1e00e9f33ab
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20261104224025-d1e00e9f33ab // indirect
)

// For work inside the repository; whoever requires this module gets the version above.
replace github.com/llmgateway/llmgateway/gen/go => ../../gen/go
