import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.regions.internal.util.EC2MetadataUtils;

/** Takes the credentials of the instance's role and its region, as the SDK for Java does by its default chain. */
public class Metadata {
    public static void main(String[] args) {
        AwsSessionCredentials c = (AwsSessionCredentials) DefaultCredentialsProvider.create().resolveCredentials();
        System.out.printf("[\"%s\",\"%s\",\"%s\",\"%s\",\"%s\"]%n", c.accessKeyId(), c.secretAccessKey(), c.sessionToken(),
                EC2MetadataUtils.getEC2InstanceRegion(), EC2MetadataUtils.getInstanceId());
    }
}
