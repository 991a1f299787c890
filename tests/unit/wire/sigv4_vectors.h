/* Made by make_sigv4_vectors.py with botocore's signers; do not edit. */
#define VECTORS_AT_MS  INT64_C(1785587445000)
#define VECTORS_KEY    "AKIDEXAMPLE"
#define VECTORS_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
/* clang-format off */
static const struct vector vectors[] = {
	{ "GET", "/2025-09-09/microvms", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=da46bae6af5cf05fdd962e260ce71cb2fa9fa7b9201d6e8dc3e695ce141dbf77" },
	  } },
	{ "GET", "/2025-09-09/microvm-images/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Amicrovm-image%3Ahello", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=4b8cf57d2ae81706c40d7c367571b283e37e3f101936fd0ae24623d82ce85f34" },
	  } },
	{ "GET", "/2025-09-09/microvm-images/arn:aws:lambda:us-east-1:000000000000:microvm-image:hello", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=e3b874ec41abdcdbf950887de2bbb3e6147b7ac0e2d72b54d44a71d2c85b4b61" },
	  } },
	{ "GET", "/2025-09-09/microvm-images/arn%3aaws%3alambda%3aus-east-1%3a000000000000%3amicrovm-image%3ahello", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=56b903de2233a91179ab72a96d6b7ab7b84d6f55e22745befb99ac982d5acb06" },
	  } },
	{ "GET", "/2025-09-09//a/./b/../microvms/", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=9494c93d5656b6768ce2f55c50415fad515e0d41d66eddaad66b28717e61e543" },
	  } },
	{ "GET", "/a%20b/%C3%A9~x%2Fy", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=96f7004a683e2e43d1dcf2886421b98bd34b2df35046b2f70e5e31c78b0251d1" },
	  } },
	{ "GET", "/", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=830d2c66384be580be548aceadbe48094a94129e94e34dc9169f1a917d2aae40" },
	  } },
	{ "GET", "/2025-09-09/microvms?maxResults=5&imageIdentifier=arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Amicrovm-image%3Ahello&nextToken=YQ%3D%3D", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=ff64053f1119430c7da8c27eb5971ce84ab193d8c23c88e7b43015154bf375b0" },
	  } },
	{ "GET", "/2025-09-09/microvms?b=2&a=2&a=1&c", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=30a4e81dbc6d6b842005dc627428745b3b8481ace3fb688fb8be0c060d991cdf" },
	  } },
	{ "POST", "/2025-09-09/microvms", "319025501d88c2553ac64a5a6aa94d6f8d77114c5eb68e214692a24e2eedb2fe",
	  false, {
		{ "content-type", "application/json" },
		{ "x-amz-meta-blanks", "a   b" },
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-meta-blanks, Signature=7ab0bd867d62c581c88c46f1e434ce3bcdb88b78daaafe4ba731b517b65492f6" },
	  } },
	{ "POST", "/", "ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843",
	  false, {
		{ "content-type", "application/x-www-form-urlencoded; charset=utf-8" },
		{ "host", "127.0.0.1:9010" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/lambda/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=7ead65a81de19078b5d15e5b15f4202dfa9735dc203fddbed8a12aa04a17e2fe" },
	  } },
	{ "GET", "/2025-09-09/microvms?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260801%2Fus-east-1%2Flambda%2Faws4_request&X-Amz-Date=20260801T123045Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=de8b9f010d10ac5c86f552b140f19305e958efda808f4660c095e9f19c255523", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  false, {
		{ "host", "127.0.0.1:9010" },
	  } },
	{ "PUT", "/apps/my%20app.zip", "4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2",
	  true, {
		{ "content-md5", "x" },
		{ "host", "s3.localhost:9011" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "x-amz-content-sha256", "4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/s3/aws4_request, SignedHeaders=content-md5;host;x-amz-content-sha256;x-amz-date, Signature=dd3924dcfe9f11ef96dd25c8e5a5cac3898867534a42a2de39b747d449b9371a" },
	  } },
	{ "GET", "/apps/a//b/../c%2B%3D%28%29.zip?versionId=null&prefix=a%2Fb", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  true, {
		{ "host", "s3.localhost:9011" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=3a60985dd828488b74710a74c774022c621da89af5968077919c72e729f91d9a" },
	  } },
	{ "GET", "/apps?list-type=2&prefix=&encoding-type=url", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  true, {
		{ "host", "s3.localhost:9011" },
		{ "x-amz-date", "20260801T123045Z" },
		{ "x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260801/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=8ee9069dc440f9cf03c42b1267b8c8de516415e1157ac037ff544c5353de6824" },
	  } },
	{ "GET", "/apps/my%20app.zip?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260801%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260801T123045Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=fbc3e2233dd8d96714da401fc3c209be0edf704f237dccd5caa206ee0620aa1a", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  true, {
		{ "host", "s3.localhost:9011" },
	  } },
	{ "PUT", "/apps/x.zip?partNumber=1&uploadId=u&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260801%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260801T123045Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=54931d16e95c815f76b4b3d322d6b5c05dad697774a5aa7216aa0ba594fd1f6b", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  true, {
		{ "host", "s3.localhost:9011" },
	  } },
};
/* clang-format on */
