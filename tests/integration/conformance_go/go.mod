module doze/conformance_go

go 1.19

require github.com/aws/aws-sdk-go-v2 v1.21.0

require github.com/aws/smithy-go v1.14.2 // indirect
