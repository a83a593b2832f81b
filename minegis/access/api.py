"""Tokens and the signed-in user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import update_last_login
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from knox.settings import knox_settings
from rest_framework import serializers, status
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from minegis.access.models import Membership, User
from minegis.access.permissions import rights
from minegis.errors import MineGISError


class TokenView(APIView):
    """Exchange a name and a password for a token."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_scope = "login"

    class InputSerializer(serializers.Serializer[Any]):
        """Name and password."""

        username = serializers.CharField()
        password = serializers.CharField(trim_whitespace=False, style={"input_type": "password"})

        class Meta:
            ref_name = "Credentials"

    class OutputSerializer(serializers.Serializer[Any]):
        """The token, shown this once, and when it expires."""

        token = serializers.CharField()
        expiry = serializers.DateTimeField()

        class Meta:
            ref_name = "Token"

    @extend_schema(request=InputSerializer, responses=OutputSerializer, operation_id="token_create")
    def post(self, request: Request) -> Response:
        """Sign in; send the token as ``Authorization: Token …``. The newest ten tokens of a person are kept."""
        given = self.InputSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = authenticate(request._request, **given.validated_data)
        if user is None:
            raise MineGISError("E-API-11")
        instance, token = AuthToken.objects.create(user=user)
        update_last_login(User, user)
        tokens = AuthToken.objects.filter(user=user)
        kept = tokens.order_by("-created").values_list("pk")[: knox_settings.TOKEN_LIMIT_PER_USER]
        tokens.exclude(pk__in=[pk for (pk,) in kept]).delete()
        return Response(self.OutputSerializer({"token": token, "expiry": instance.expiry}).data)


class LogoutView(APIView):
    """Give tokens back."""

    @extend_schema(request=None, responses={204: None}, operation_id="token_revoke")
    def post(self, request: Request) -> Response:
        """Revoke the token this request was made with; from a browser session, all tokens of the person."""
        if isinstance(request.successful_authenticator, SessionAuthentication):
            AuthToken.objects.filter(user=request.user).delete()
        else:
            request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    """One role in one region; no region means all of them."""

    region = serializers.CharField(source="region.code", default=None, allow_null=True, read_only=True)

    class Meta:
        model = Membership
        fields = ["role", "region"]


class MeSerializer(serializers.ModelSerializer[User]):
    """The signed-in user."""

    memberships = MembershipSerializer(many=True, read_only=True)
    can = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["username", "display_name", "language", "memberships", "can"]
        read_only_fields = ["username"]

    def get_can(self, user: User) -> dict[str, bool]:
        """Every action and whether it is allowed anywhere."""
        return rights(user)


class MeView(APIView):
    """The signed-in user."""

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who am I, and what may I do?"""
        return Response(MeSerializer(request.user).data)  # type: ignore[arg-type]  # no anonymous user gets here
