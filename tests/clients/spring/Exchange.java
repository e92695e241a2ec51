import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import org.springframework.security.authentication.TestingAuthenticationToken;
import org.springframework.security.oauth2.client.OAuth2AuthorizationContext;
import org.springframework.security.oauth2.client.TokenExchangeOAuth2AuthorizedClientProvider;
import org.springframework.security.oauth2.client.endpoint.RestClientTokenExchangeTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.jwt.Jwt;

/** Spring Security's provider for token exchange: an application with a secret exchanges the token of its caller. */
public class Exchange {
  public static void main(String[] arguments) throws Exception {
    var registration = ClientRegistration.withRegistrationId("cambist")
        .tokenUri(System.getenv("STS") + "/oauth/2/token")
        .authorizationGrantType(AuthorizationGrantType.TOKEN_EXCHANGE)
        .clientId("shop")
        .clientSecret(System.getenv("SECRET"))
        .scope("read")
        .build();

    // For whom the token is meant is no part of a registration, so it is added to the request.
    var endpoint = new RestClientTokenExchangeTokenResponseClient();
    endpoint.setParametersCustomizer(parameters -> parameters.set("audience", System.getenv("API")));

    var provider = new TokenExchangeOAuth2AuthorizedClientProvider();
    provider.setAccessTokenResponseClient(endpoint);

    // In an API, this is the token that its caller was authenticated by.
    var presented = Jwt.withTokenValue(Files.readString(Path.of(System.getenv("TOKEN_FILE"))))
        .header("alg", "ES256")
        .subject("workload-1")
        .build();
    var context = OAuth2AuthorizationContext.withClientRegistration(registration)
        .principal(new TestingAuthenticationToken(presented, null))
        .build();
    var token = provider.authorize(context).getAccessToken();

    var request = HttpRequest.newBuilder(URI.create(System.getenv("API")))
        .header("Authorization", token.getTokenType().getValue() + " " + token.getTokenValue())
        .build();
    System.out.println(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body());
  }
}
