// Package grpcerror reads the errors of the generated grpc-go client as [llmgateway.Error]. It stands apart so that
// package llmgateway does not import google.golang.org/grpc.
package grpcerror

import (
	"errors"

	"connectrpc.com/connect"
	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	"google.golang.org/grpc/status"
)

// From reads an error of a grpc-go call: its kind, its receipt, and when it is worth trying again. It is nil for nil.
// An error that is no gRPC status is given as [llmgateway.ErrorFrom] has it.
func From(err error) *llmgateway.Error {
	known, ok := status.FromError(err)
	if err == nil || !ok {
		return llmgateway.ErrorFrom(err)
	}
	// The codes of Connect are those of gRPC.
	cause := connect.NewWireError(connect.Code(known.Code()), errors.New(known.Message()))
	for _, detail := range known.Proto().GetDetails() {
		if added, err := connect.NewErrorDetail(detail); err == nil {
			cause.AddDetail(added)
		}
	}
	return llmgateway.ErrorFrom(cause)
}
