module doze.test/metadata

go 1.19

require (
	github.com/aws/aws-sdk-go-v2/credentials v1.13.35
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.13.11
)

require (
	github.com/aws/aws-sdk-go-v2 v1.21.0 // indirect
	github.com/aws/smithy-go v1.14.2 // indirect
)
